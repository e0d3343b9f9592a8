"""OpenAI Realtime, and the servers that speak its protocol."""
