package s3

// PartsAtOnce is how many parts of large objects are in memory at once.
const PartsAtOnce = partsAtOnce
