"""brim: declarative pipelines over asyncio and Apache Arrow that stay within one memory budget."""
