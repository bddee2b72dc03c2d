# Greets each line of the client that it was born for.
while read -r name; do
	echo "hello $name from the shell, worker $$"
done
