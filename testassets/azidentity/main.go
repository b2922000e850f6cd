// Asks for tokens with azidentity as a program in a pod does, and says what came of it without printing a token.
//
// Each argument is one question, CREDENTIAL,RESOURCE[,NAME=VALUE]: CREDENTIAL is "managed" or "default", NAME is
// client_id, resource_id or object_id. The answer to each is one line of JSON.
package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

type answer struct {
	Client   string `json:"client,omitempty"`
	Object   string `json:"object,omitempty"`
	Audience string `json:"audience,omitempty"`
	Left     int64  `json:"left,omitempty"`
	Error    string `json:"error,omitempty"`
}

func main() {
	for _, question := range os.Args[1:] {
		line, _ := json.Marshal(ask(strings.Split(question, ",")))
		fmt.Println(string(line))
	}
}

func ask(question []string) answer {
	name, value := "", ""
	if len(question) > 2 {
		name, value, _ = strings.Cut(question[2], "=")
	}
	credential, err := credential(question[0], name, value)
	if err != nil {
		return answer{Error: err.Error()}
	}
	scopes := []string{question[1] + "/.default"}
	token, err := credential.GetToken(context.Background(), policy.TokenRequestOptions{Scopes: scopes})
	if err != nil {
		return answer{Error: err.Error()}
	}
	return claims(token)
}

func credential(kind, name, value string) (azcore.TokenCredential, error) {
	if kind == "default" {
		// This is how it is told which identity to ask for.
		if name == "client_id" {
			os.Setenv("AZURE_CLIENT_ID", value)
		}
		return azidentity.NewDefaultAzureCredential(nil)
	}
	options := &azidentity.ManagedIdentityCredentialOptions{}
	switch name {
	case "client_id":
		options.ID = azidentity.ClientID(value)
	case "resource_id":
		options.ID = azidentity.ResourceID(value)
	case "object_id":
		options.ID = azidentity.ObjectID(value)
	}
	return azidentity.NewManagedIdentityCredential(options)
}

// claims tells whose the token is, what it is for, and for how many seconds the SDK means to use it.
func claims(token azcore.AccessToken) answer {
	parts := strings.Split(token.Token, ".")
	if len(parts) != 3 {
		return answer{Error: "this is not a signed token"}
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return answer{Error: err.Error()}
	}
	var said struct{ Appid, Oid, Aud string }
	if err := json.Unmarshal(payload, &said); err != nil {
		return answer{Error: err.Error()}
	}
	return answer{Client: said.Appid, Object: said.Oid, Audience: said.Aud, Left: int64(time.Until(token.ExpiresOn).Seconds())}
}
