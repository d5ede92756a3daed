"""What is rising, and which terms rise together; it imports neither the index nor a source."""

from hubbub.trends.headline import Headline, Story, quote
from hubbub.trends.held import Terms
from hubbub.trends.trend import Trend
from hubbub.trends.trends import Trends

__all__ = ["Headline", "Story", "Terms", "Trend", "Trends", "quote"]
