"""`python -m ipcviz`."""

from ipcviz.cli.main import main

if __name__ == "__main__":
    main()
