# Written for aad-pod-identity; only the names of vault and secret are the lab's.
from azure.identity import ManagedIdentityCredential
from azure.keyvault.secrets import SecretClient

# Uses pod identity automatically
credential = ManagedIdentityCredential()
client = SecretClient(
    vault_url="https://podid-lab-vault.vault.azure.net/",
    credential=credential
)

secret = client.get_secret("greeting")
print(f"Secret value: {secret.value}")
