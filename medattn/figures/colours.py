"""The colours of maps and charts: the one source, which the app's page reads too."""

# Okabe and Ito's vermilion and blue: told apart by the colour-blind, and in grey print
# by the sign's place on the bar.
FOR = (213, 94, 0)  # relevance that speaks for the class
AGAINST = (0, 114, 178)
OUTLINE = (240, 228, 66)  # their yellow, which neither end of the scale nears
