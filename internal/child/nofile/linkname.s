// This file is empty; its presence lets nofile.go declare a function whose body
// is elsewhere.
