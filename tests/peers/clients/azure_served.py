"""Asks azure-identity's managed identity for tokens until they were renewed as often as the argument says."""

import base64
import json
import os
import sys
import time

from azure.identity import ManagedIdentityCredential

seen = {}
credential = ManagedIdentityCredential()
with open(os.environ["WITNESSED"], "a", encoding="utf-8") as noted:
    while len(seen) <= int(sys.argv[1]):
        token = credential.get_token("https://vault.azure.net/.default")
        assert token.expires_on >= time.time() - 1, "it is over"
        if token.token not in seen:
            print(token.token, file=noted)
        payload = token.token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        seen[token.token] = (claims["tid"], claims["appid"], claims["aud"])
        time.sleep(0.2)
print(*sorted(set(seen.values())).pop())
