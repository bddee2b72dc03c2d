// This file is empty; its presence lets runtime.go declare functions whose
// bodies are elsewhere.
