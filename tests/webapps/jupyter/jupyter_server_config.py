"""Jupyter behind a front door, for tests/it/front_check: it believes the identity headers, and has no token of its own."""

from urllib.parse import unquote

from jupyter_server.auth import IdentityProvider, User


class FrontDoorIdentity(IdentityProvider):
    token = ""

    def get_user(self, handler):
        headers = handler.request.headers
        user = headers.get("Remote-User")
        return User(username=user, name=unquote(headers.get("Remote-Name", ""))) if user else None


c.ServerApp.identity_provider_class = FrontDoorIdentity
# It is asked under the host of the app, not under its own.
c.ServerApp.allow_remote_access = True
c.ServerApp.open_browser = False
c.LabApp.news_url = None
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
