"""`tenantry prove`: tries to cross every border of the installation and says what it tried."""
