from django import forms


class SignUpForm(forms.Form):
    """What sign-up asks for beside e-mail and password."""

    def signup(self, request: object, user: object) -> None:
        """Called by allauth when the user is made."""
