"""What more than one tier of Novaburst needs: the contract, the settings, the command line and the client."""
