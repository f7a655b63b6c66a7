#!/bin/sh
# /etc/nginx/templates/*.template become /etc/nginx/conf.d/* with the environment's values put in.
set -eu
templates=${NGINX_ENVSUBST_TEMPLATE_DIR:-/etc/nginx/templates}
suffix=${NGINX_ENVSUBST_TEMPLATE_SUFFIX:-.template}
target=${NGINX_ENVSUBST_OUTPUT_DIR:-/etc/nginx/conf.d}
[ -d "$templates" ] || exit 0
# Only variables that are set: nginx's own ($host, $uri...) are left alone.
# shellcheck disable=SC2016
defined=$(printf '${%s} ' $(env | sed -n "s/^\(${NGINX_ENVSUBST_FILTER:-}[A-Za-z_][A-Za-z0-9_]*\)=.*/\1/p"))
find "$templates" -follow -type f -name "*$suffix" | while read -r template; do
  relative=${template#"$templates/"}
  output=$target/${relative%"$suffix"}
  mkdir -p "$(dirname "$output")"
  envsubst "$defined" < "$template" > "$output"
done
