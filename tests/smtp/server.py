"""A mail server for tests/it/mail.rs: prints its port, then each email it receives as one line of JSON.

server.py [--port N] [--tls DIR]: with --tls it requires STARTTLS and writes the authority to trust to DIR/ca.pem.
"""

import argparse
import asyncio
import email
import email.policy
import json
import logging
import ssl

import trustme
from aiosmtpd.smtp import SMTP


REFUSALS = {
    "refused": "550 5.1.1 <{}>: Recipient address rejected",
    "full": "552 5.2.2 Mailbox full",
    "policy": "550 5.7.1 Blocked by policy",
    "plain": "550 No",
}
greylisted = set()


class Letters:
    async def handle_RCPT(self, server, session, envelope, address, options):
        who = address.split("@")[0]
        if who == "grey" and who not in greylisted:
            greylisted.add(who)
            return "451 4.7.1 Greylisted, try again"
        if who in REFUSALS:
            return REFUSALS[who].format(address)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.original_content, policy=email.policy.default)
        parts = [part for part in message.walk() if not part.is_multipart()]
        say(
            sender=envelope.mail_from,
            greeting=session.host_name,
            recipients=envelope.rcpt_tos,
            headers=[[name.lower(), str(value)] for name, value in message.items()],
            kind=message.get_content_type(),
            parts=[[part.get_content_type(), part.get_content()] for part in parts],
            sealed=session.ssl is not None,
        )
        return "250 OK"


def say(**line):
    print(json.dumps(line), flush=True)


def tls(directory):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(f"{directory}/ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--tls")
    parser.add_argument("--ascii", action="store_true", help="without SMTPUTF8")
    given = parser.parse_args()
    # Disconnecting clients need not be logged.
    logging.disable()
    context = tls(given.tls) if given.tls else None

    def smtp():
        return SMTP(
            Letters(),
            hostname="localhost",
            enable_SMTPUTF8=not given.ascii,
            tls_context=context,
            require_starttls=context is not None,
        )

    server = await asyncio.get_running_loop().create_server(smtp, "127.0.0.1", given.port)
    say(port=server.sockets[0].getsockname()[1])
    await server.serve_forever()


asyncio.run(main())
