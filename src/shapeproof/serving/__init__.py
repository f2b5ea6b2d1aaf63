"""Using a trained network: pictures, certainty, export and the local page."""
