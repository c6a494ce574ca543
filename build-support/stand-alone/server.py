"""A gRPC server that has nothing to do with weft: gRPC for Python, in plaintext, with server reflection.

    python server.py PORT
"""

import sys
import threading
from concurrent import futures

import grpc
from grpc_reflection.v1alpha import reflection
from notes.v1 import notes_pb2, notes_pb2_grpc


class Notes(notes_pb2_grpc.NotesServicer):
    def __init__(self):
        self.lock = threading.Lock()
        self.waiting = 0

    def GetNote(self, request, context):
        if request.id == "0":
            status = notes_pb2.Status(code=grpc.StatusCode.NOT_FOUND.value[0], message="there is no such note")
            status.details.add().Pack(notes_pb2.Missing(id="0"))
            context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
            context.abort(grpc.StatusCode.NOT_FOUND, status.message)
        sent = dict(context.invocation_metadata())
        context.send_initial_metadata((("x-served-by", "python"),))
        return notes_pb2.Note(id=request.id, text=f"the note {request.id}, for {sent.get('authorization', 'nobody')}")

    def ListNotes(self, request, context):
        for number in range(request.count):
            yield notes_pb2.Note(id=str(number))
        if request.fail:
            context.abort(grpc.StatusCode.DATA_LOSS, "the rest is lost")

    def ImportNotes(self, requests, context):
        return notes_pb2.Count(count=sum(1 for _ in requests))

    def EchoNotes(self, requests, context):
        yield from requests

    def Wait(self, request, context):
        ended = threading.Event()
        with self.lock:
            self.waiting += 1
        # A call that has ended already calls nobody.
        if context.add_callback(ended.set):
            ended.wait(60)
        with self.lock:
            self.waiting -= 1
        return notes_pb2.Count(count=0)

    def CountWaiting(self, request, context):
        return notes_pb2.Count(count=self.waiting)


def main(port):
    server = grpc.server(futures.ThreadPoolExecutor(32))
    notes_pb2_grpc.add_NotesServicer_to_server(Notes(), server)
    names = [service.full_name for service in notes_pb2.DESCRIPTOR.services_by_name.values()]
    reflection.enable_server_reflection([*names, reflection.SERVICE_NAME], server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main(int(sys.argv[1]))
