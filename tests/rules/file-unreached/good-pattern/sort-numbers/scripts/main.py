from pathlib import Path
X = Path(__file__).parent / 'schemas'
