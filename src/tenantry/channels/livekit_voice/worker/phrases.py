"""What an agent says on calls where its configuration has no words for it."""

CUT_OFF = "Sorry, we were cut off."
SORRY = "I'm sorry, something went wrong on my side. Could you say that again?"
STILL_THERE = "Are you still there?"
GOODBYE = "Thank you for calling. Goodbye!"
OUT_OF_TIME = "I'm sorry, our time is up."
