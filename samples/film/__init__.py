"""The sample film, "The Lantern Boat": drawn and sounded by these scripts, nothing recorded."""
