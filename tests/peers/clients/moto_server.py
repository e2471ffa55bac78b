"""moto's server on a free port of 127.0.0.1, with the roles `deploy` and `audit`.

Prints the port, and ends when its stdin is closed: whoever started it closes it by ending, however that happens.
"""

import json
import sys

import boto3
from moto.server import ThreadedMotoServer

ANYONE = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
ANYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def document(statement):
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
port = server.get_host_and_port()[1]
keys = {"aws_access_key_id": "any", "aws_secret_access_key": "any"}
iam = boto3.client("iam", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1", **keys)
for role in ["deploy", "audit"]:
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=document(ANYONE))
    iam.put_role_policy(RoleName=role, PolicyName="anything", PolicyDocument=document(ANYTHING))
print(port, flush=True)
sys.stdin.read()
server.stop()
