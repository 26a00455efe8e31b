# shellcheck shell=bash disable=SC2154,SC2034
# To be sourced by run.sh for --live: checks what was asked for and finds the token, before anything is built. Reads live, yes and walk; sets modes and live_token.
# The token is kept out of arguments, logs and files; only the AppHost gets it, by its environment.

case $live in
  replicate) live_section=Replicate live_variable=REPLICATE_API_TOKEN live_parameter=replicate-token ;;
  *) refuse "There is no provider '$live' to go live with: there is replicate." ;;
esac
modes=("--Providers:$live_section:Mode=live")
if [ "$walk" = 1 ] && [ "$yes" = 0 ] && ! { [ -t 0 ] && [ -t 2 ]; }; then
  refuse "--live trains for money, and there is no terminal to ask on: add --yes, or --no-walk to train nothing."
fi

# A variable named like the parameter has a dash in its name, which the shell cannot read; printenv can. User secrets are one JSON file.
live_secrets=$HOME/.microsoft/usersecrets/$(sed -n 's:.*<UserSecretsId>\(.*\)</UserSecretsId>.*:\1:p' AppHost/AppHost.csproj)/secrets.json
if [ -n "$(printenv "Parameters__$live_parameter" || true)" ]; then
  :
elif [ -s "$live_secrets" ] && sed '1s/^\xef\xbb\xbf//' "$live_secrets" | jq -e --arg p "$live_parameter" '(.["Parameters:" + $p] // .Parameters[$p]? // "") != ""' >/dev/null 2>&1; then
  :
elif [ -n "${!live_variable:-}" ]; then
  # Not for the build and the walk.
  live_token=${!live_variable}
  unset "$live_variable"
elif [ -s "$live_secrets" ] && ! command -v jq >/dev/null; then
  refuse "There may be a token in $live_secrets, and jq is needed to look: run ./eng/install.sh first, or set $live_variable."
elif [ -t 0 ] && [ -t 2 ]; then
  IFS= read -rs -p "$live_section API token (not shown): " live_token
  echo >&2
  [ -n "$live_token" ] || refuse "Without a token there is no going live."
else
  refuse "--live $live needs a token: set $live_variable, or keep it with: dotnet user-secrets --project AppHost set Parameters:$live_parameter TOKEN"
fi
