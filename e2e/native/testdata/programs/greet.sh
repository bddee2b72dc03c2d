# One client at descriptors 0 and 1.
read -r word
[ "$word" = slow ] && sleep 0.3
echo "$REMOTE_ADDR was served by $$"
