"""What Rekey knows about credentials, consumers and people; nothing here knows of Azure Functions."""
