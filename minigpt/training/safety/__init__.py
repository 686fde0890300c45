"""What keeps a run from ruin: non-finite numbers, spikes, too little memory, and a request to stop."""
