package main

import "github.com/spf13/cobra"

func postfixCommand() *cobra.Command {
	return &cobra.Command{Use: "postfix", Args: cobra.NoArgs, RunE: chooseOne}
}
