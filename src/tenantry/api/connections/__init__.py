"""What members connect: their accounts at calendar providers."""
