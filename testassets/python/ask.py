"""Asks for tokens with azure-identity as a program in a pod does, and says what came of it without printing a token.

Each argument is one question, CREDENTIAL,RESOURCE[,NAME=VALUE]: CREDENTIAL is "managed" or "default", NAME is
client_id, resource_id or object_id. The answer to each is one line of JSON.
"""

import base64
import json
import sys
import time

from azure.identity import DefaultAzureCredential, ManagedIdentityCredential


def credential(kind, name, value):
    if kind == "default":
        # This is how it is told which identity to ask for.
        return DefaultAzureCredential(**({"managed_identity_client_id": value} if name == "client_id" else {}))
    if name in ("resource_id", "object_id"):
        return ManagedIdentityCredential(identity_config={name: value})
    return ManagedIdentityCredential(**({name: value} if name else {}))


def ask(kind, resource, selector=""):
    """Whose token it is, what it is for, and for how many seconds the SDK means to use it."""
    name, _, value = selector.partition("=")
    try:
        token = credential(kind, name, value).get_token(resource + "/.default")
    except Exception as error:  # Whatever the SDK raises is the answer.
        return {"error": f"{type(error).__name__}: {error}"}
    payload = token.token.split(".")[1]
    said = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    left = int(token.expires_on - time.time())
    return {"client": said["appid"], "object": said["oid"], "audience": said["aud"], "left": left}


for question in sys.argv[1:]:
    print(json.dumps(ask(*question.split(","))), flush=True)
