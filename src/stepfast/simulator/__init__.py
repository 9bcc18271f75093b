"""AWS played on one machine: moto keeps the data, the player calls the functions as AWS's event sources do."""
