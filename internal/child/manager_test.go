package child

func manager() {}
