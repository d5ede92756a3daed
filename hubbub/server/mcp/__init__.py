"""The house as tools for other people's assistants, by the Model Context Protocol, at `/mcp`."""
