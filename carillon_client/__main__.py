"""`python -m carillon_client`: the command line without the local stack."""

from carillon_client.cli import app

if __name__ == "__main__":
    app()
