"""Why threads wait, who could end that, and who waits because of whom. Pure."""
