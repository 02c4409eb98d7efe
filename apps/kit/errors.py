"""What rooms raise when they refuse.

Refused                       an expected outcome; its text is for whoever asked, and says what to do next
"""


class Refused(Exception):
    """Not done, and nothing changed. Faces turn it into a message; it is never a bug."""
