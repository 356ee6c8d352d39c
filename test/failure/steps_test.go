package failure

const dyingArgument = "serve-and-die"

func serveAndDie(string) int { return 1 }
