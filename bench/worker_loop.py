"""The obvious worker, written by hand in an hour: `python -m bench.worker_loop MODEL` (resnet18 or efficientnet_lite0).

Receive one message, download, classify with torch, upload, notify, delete, and again. It is what the pipeline is
compared with; its log line for each image is as the worker's, so that both are measured alike.
"""

import io
import json
import sys
import time

import boto3
import torch
from PIL import Image
from torchvision import models, transforms  # type: ignore[import-untyped]

from worker_ami.bake import efficientnet_lite0


def main(name: str) -> None:
    """Work until killed."""
    network = models.resnet18().eval() if name == "resnet18" else efficientnet_lite0.build()
    labels = efficientnet_lite0.labels()
    if name == "resnet18":
        prepare = models.ResNet18_Weights.DEFAULT.transforms()
    else:
        steps = [transforms.Resize(256, transforms.InterpolationMode.BICUBIC), transforms.CenterCrop(224)]
        # (x - 127) / 128 in units of 0 to 255.
        scaling = transforms.Normalize([127 / 255] * 3, [128 / 255] * 3)
        prepare = transforms.Compose([*steps, transforms.ToTensor(), scaling])
    s3, sqs = boto3.client("s3"), boto3.client("sqs")
    requests = sqs.get_queue_url(QueueName="novaburst-req-queue")["QueueUrl"]
    responses = sqs.get_queue_url(QueueName="novaburst-resp-queue")["QueueUrl"]
    while True:
        reply = sqs.receive_message(QueueUrl=requests, MaxNumberOfMessages=1, WaitTimeSeconds=5)
        for message in reply.get("Messages", []):
            request = json.loads(message["Body"])
            data = s3.get_object(Bucket=request["bucket"], Key=request["key"])["Body"].read()
            image = prepare(Image.open(io.BytesIO(data)).convert("RGB"))
            with torch.no_grad():
                best = int(network(image.unsqueeze(0)).argmax())
            result = json.dumps({"id": request["id"], "label": labels[best]})
            s3.put_object(Bucket="novaburst-out-bucket", Key=f"{request['id']}.json", Body=result)
            sqs.send_message(QueueUrl=responses, MessageBody=result)
            sqs.delete_message(QueueUrl=requests, ReceiptHandle=message["ReceiptHandle"])
            sys.stderr.write(json.dumps({"message": "answered", "at": time.time()}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
