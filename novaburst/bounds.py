"""Every default bound on size, count, time and pixels, in one place; the settings of each tier start from these.

The CloudFormation template receives the same numbers as parameters from `novaburst deploy`.
"""

# SQS refuses a longer body: MaximumMessageSize of both queues, in bytes.
MAX_MESSAGE_BYTES = 1024
# One uploaded file, in bytes. A 24-megapixel camera JPEG is about 10 MB.
MAX_IMAGE_BYTES = 20 * 1024 * 1024
# One decoded image, in pixels (width times height), checked before decoding.
MAX_IMAGE_PIXELS = 100_000_000
# One result object, in bytes: a name of 255 characters and six labels take a few thousand.
MAX_RESULT_BYTES = 256 * 1024
# Files in one upload request.
MAX_FILES_PER_UPLOAD = 5_000
# A display name, in characters; longer ones are cut with a mark.
MAX_NAME_CHARS = 255
# The longest time that a client may wait for a result inside one request, in seconds. nginx and gunicorn follow it.
MAX_WAIT_SECONDS = 600
# How long a form is good with which a client sends a file straight to S3, in seconds.
PRESIGNED_SECONDS = 3600
# How long SQS hides a message that a worker has taken, in seconds, and how often the worker's heartbeat extends it: an
# image of a worker that was killed waits so long for the next one, and two heartbeats may be lost.
VISIBILITY_TIMEOUT_SECONDS = 30
HEARTBEAT_SECONDS = VISIBILITY_TIMEOUT_SECONDS // 3
# Receives of one message before SQS moves it to the dead-letter queue.
MAX_RECEIVE_COUNT = 8
# Receive count at which a worker answers with an error instead of trying again; below MAX_RECEIVE_COUNT.
POISON_RECEIVE_COUNT = 5
# The longest long poll that SQS allows, in seconds.
LONG_POLL_SECONDS = 20
# How long SQS keeps a request that nobody deletes, in seconds: four days. A result message as long.
MESSAGE_RETENTION_SECONDS = 345_600
# Messages that one SQS batch call carries.
SQS_BATCH = 10
# The fleet's hard maximum, in instances: the last clamp on every path.
FLEET_HARD_MAXIMUM = 20
# How long a worker without work keeps its instance, in seconds: with boot and work about the minute that EC2 bills at
# least (`python -m bench policies`).
IDLE_SECONDS = 30
# How long uploaded images and results stay in their buckets, in days.
RETENTION_DAYS = 30
# Between what a token's limits may be set: requests a minute, and bytes uploaded a day.
MOST_REQUESTS_PER_MINUTE = 100_000
LEAST_BYTES_PER_DAY = 1024 * 1024
MOST_BYTES_PER_DAY = 10**15
