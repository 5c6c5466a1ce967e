class Rejecting:
    def __init__(self, ports):
        pass

    def reject(self, frame, result):
        pass

    def close(self):
        pass
