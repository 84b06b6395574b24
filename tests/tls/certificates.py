"""Certificates for the tests: `certificates.py DIR` writes an authority (ca.pem) and its certificates there.

`right` is for this machine and the app `wiki` on it, `other` for another name, `old` has expired, and `stranger` is for the same names but signed by
another authority.
Each is a file with the certificate (.pem) and one with its key (.key).
"""

import datetime
import os
import sys

import trustme

HERE = ("localhost", "wiki.localhost", "127.0.0.1")
LONG_AGO = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
LATER = datetime.datetime(2021, 1, 1, tzinfo=datetime.timezone.utc)


def main(directory):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(os.path.join(directory, "ca.pem"))
    issued = {
        "right": authority.issue_cert(*HERE),
        "other": authority.issue_cert("id.example.org"),
        "old": authority.issue_cert(*HERE, not_before=LONG_AGO, not_after=LATER),
        "stranger": trustme.CA().issue_cert(*HERE),
    }
    for name, certificate in issued.items():
        for position, blob in enumerate(certificate.cert_chain_pems):
            blob.write_to_path(os.path.join(directory, f"{name}.pem"), append=position > 0)
        key = os.path.join(directory, f"{name}.key")
        certificate.private_key_pem.write_to_path(key)
        os.chmod(key, 0o600)


main(sys.argv[1])
