#!/bin/sh
# Makes the folders of the stack. As root each belongs to the user that works in it, and nobody
# else may enter, but for the folder with the database's socket.
set -eu

folder() { # NAME USER MODE
  mkdir -p "$STACK_DIR/$1"
  chmod "$3" "$STACK_DIR/$1"
  if [ "$(id -u)" -eq 0 ]; then chown "$2:" "$STACK_DIR/$1"; fi
}

folder . "$(id -un)" 755
folder etc "$(id -un)" 755
folder postgres "$DB_USER" 711
folder postgres/run "$DB_USER" 711
folder redis "$CACHE_USER" 700
folder app "$WEB_USER" 700
folder nginx "$WEB_USER" 700
for name in body proxy fastcgi uwsgi scgi; do folder "nginx/$name" "$WEB_USER" 700; done

# The users may not be able to read this folder, so what they need goes to theirs.
install -m 644 initdb.sh schema.sh "$STACK_DIR/etc"
install -m 644 app.mjs "$STACK_DIR/app"
sed -e "s/@HTTP_PORT@/$HTTP_PORT/" -e "s/@APP_PORT@/$APP_PORT/" nginx.conf > "$STACK_DIR/nginx/nginx.conf"
chmod 644 "$STACK_DIR/nginx/nginx.conf"
