#!/usr/bin/env python3
"""Plays the az CLI: notes its arguments, and keeps the credentials of one application, or of one managed identity."""

import json
import os
import sys

home = os.environ["HOME"]
arguments = sys.argv[1:]
with open(f"{home}/az.jsonl", "a") as log:
    log.write(json.dumps(arguments) + "\n")
store = f"{home}/az.json"
try:
    credentials = json.load(open(store))
except FileNotFoundError:
    credentials = {}
is_identity = os.environ.get("PLAY") == "identity"


def option(name):
    return arguments[arguments.index(name) + 1]


def keep(name, document):
    credentials[name] = {**credentials.get(name, {}), **document}
    json.dump(credentials, open(store, "w"))


def missing():
    sys.exit("ERROR: ResourceNotFound")


command = " ".join(word for word in arguments[:4] if not word.startswith("-"))
if command.startswith("account show"):
    print("00000000-0000-0000-0000-000000000001")
elif command.startswith("ad app show"):
    if is_identity:
        missing()
elif command.startswith("identity list"):
    query = option("--query")
    if is_identity:
        print("runner" if ".name" in query else "group")
elif command.startswith("ad app federated-credential show"):
    if option("--federated-credential-id") not in credentials:
        missing()
elif command.startswith("ad app federated-credential create"):
    document = json.loads(option("--parameters"))
    if document["name"] in credentials:
        sys.exit("ERROR: FederatedIdentityCredential with name already exists")
    keep(document["name"], document)
elif command.startswith("ad app federated-credential update"):
    keep(option("--federated-credential-id"), json.loads(option("--parameters")))
elif command.startswith("identity federated-credential create"):
    keep(option("--name"), {"name": option("--name"), "issuer": option("--issuer"), "subject": option("--subject"), "audiences": [option("--audiences")]})
elif command.startswith("rest"):
    method, url = option("--method"), option("--url")
    if method == "get":
        name = option("--query").split("'")[1]
        print(f"id-{name}" if name in credentials else "")
    elif method == "post":
        document = json.loads(option("--body"))
        if document["name"] in credentials:
            sys.exit("ERROR: already exists")
        keep(document["name"], document)
    else:
        document = json.loads(option("--body"))
        assert "name" not in document, document
        keep(url.rsplit("/id-", 1)[1], document)
elif command.startswith("role assignment list"):
    print("given" if "role" in credentials else "")
elif command.startswith("role assignment create"):
    print(json.dumps(option("--role")), file=sys.stderr)
else:
    sys.exit(f"no such command: {arguments}")
