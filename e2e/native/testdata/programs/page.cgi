#!/bin/sh
# A CGI program. Its parent is the FastCGI worker.
[ "$QUERY_STRING" = /slow ] && sleep 0.3
printf 'Content-Type: text/plain\r\n\r\nserved by %s\n' "$PPID"
