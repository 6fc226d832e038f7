"""What runs in the reading process; nothing else imports it, or h5py."""
