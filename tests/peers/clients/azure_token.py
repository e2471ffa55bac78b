"""Who azure-identity signs in as, by the credential named; notes the access token for the test."""

import base64
import json
import os
import sys

import azure.identity

credential = getattr(azure.identity, sys.argv[1])()
token = credential.get_token(*sys.argv[2:]).token
with open(os.environ["WITNESSED"], "a", encoding="utf-8") as noted:
    print(token, file=noted)
payload = token.split(".")[1]
claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
print(claims["tid"], claims["appid"], claims["aud"])
