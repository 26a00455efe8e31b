# To be sourced by what starts the built AppHost without a launch profile: the variables that a profile would give, with ports that are free now.
# The ports lie below the range from which the system takes those of outgoing connections.

free_port() {
  local port
  while :; do
    port=$((12000 + (RANDOM * 32768 + RANDOM) % 8000))
    # Somebody who listens accepts; the complaint of a refused connection is the good news.
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
  done
  echo "$port"
}

export ASPNETCORE_ENVIRONMENT=Development DOTNET_ENVIRONMENT=Development ASPIRE_ALLOW_UNSECURED_TRANSPORT=true
ASPNETCORE_URLS=http://localhost:$(free_port)
ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL=http://localhost:$(free_port)
ASPIRE_RESOURCE_SERVICE_ENDPOINT_URL=http://localhost:$(free_port)
export ASPNETCORE_URLS ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL ASPIRE_RESOURCE_SERVICE_ENDPOINT_URL
