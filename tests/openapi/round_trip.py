"""Uses the client that openapi-python-client generated from docs/openapi.json. Arguments: its folder, an origin and a token."""

import sys
from uuid import UUID

folder, origin, token = sys.argv[1:]
sys.path.insert(0, folder)

from latchkey_client import AuthenticatedClient  # noqa: E402
from latchkey_client.api.audit import read_the_audit_trail  # noqa: E402
from latchkey_client.api.groups import add_a_member_to_a_group, add_or_replace_a_group, list_groups, remove_a_group, show_a_group  # noqa: E402
from latchkey_client.api.me import show_yourself  # noqa: E402
from latchkey_client.api.users import change_a_user, list_users, show_a_user  # noqa: E402
from latchkey_client.models import GroupIn, GroupOut, MeOut, ProblemOut, UserOut, UserPatch  # noqa: E402

client = AuthenticatedClient(base_url=origin, token=token)

me = show_yourself.sync(client=client)
assert isinstance(me, MeOut) and isinstance(me.id, UUID) and "groups:write" in me.token.scopes, me

added = add_or_replace_a_group.sync_detailed("staff", client=client, body=GroupIn(note="for the test"))
assert added.status_code == 201 and isinstance(added.parsed, GroupOut), added
add_a_member_to_a_group.sync_detailed("staff", me.id, client=client)
assert show_a_group.sync("staff", client=client).members == 1
page = list_groups.sync(client=client, limit=1)
assert [group.name for group in page.items] == ["staff"] and page.next_ is None, page

users = list_users.sync(client=client, group="staff")
assert [user.id for user in users.items] == [me.id], users
user = show_a_user.sync_detailed(me.id, client=client)
tag = user.headers["etag"]
renamed = change_a_user.sync_detailed(me.id, client=client, body=UserPatch(name="Rear Admiral"), if_match=tag)
assert isinstance(renamed.parsed, UserOut) and renamed.parsed.name == "Rear Admiral", renamed
stale = change_a_user.sync_detailed(me.id, client=client, body=UserPatch(name="Admiral"), if_match=tag)
assert stale.status_code == 412 and isinstance(stale.parsed, ProblemOut), stale
refused = change_a_user.sync_detailed(me.id, client=client, body=UserPatch(name="www.evil.example"))
assert refused.status_code == 422 and refused.parsed.errors[0].pointer == "/name", refused

events = read_the_audit_trail.sync(client=client, act="name-changed")
assert events.items[0].actor.id == me.id, events
assert remove_a_group.sync_detailed("staff", client=client).status_code == 204
