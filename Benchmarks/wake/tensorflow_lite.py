"""TensorFlow Lite's C library as pymicro-wakeword brings it: the reference for models."""
import ctypes
import pathlib


class Interpreter:
    def __init__(self, data):
        import pymicro_wakeword

        folder = pathlib.Path(pymicro_wakeword.__file__).parent / "lib"
        self.library = ctypes.CDLL(str(next(folder.glob("*tensorflowlite_c.*"))))
        for name in ("ModelCreate", "InterpreterCreate", "InterpreterGetInputTensor", "InterpreterGetOutputTensor"):
            getattr(self.library, "TfLite" + name).restype = ctypes.c_void_p
        self.library.TfLiteTensorByteSize.restype = ctypes.c_size_t
        self.data = ctypes.create_string_buffer(data, len(data))
        model = ctypes.c_void_p(self.library.TfLiteModelCreate(self.data, ctypes.c_size_t(len(data))))
        self.interpreter = ctypes.c_void_p(self.library.TfLiteInterpreterCreate(model, None))
        if self.library.TfLiteInterpreterAllocateTensors(self.interpreter) != 0:
            raise ValueError("TensorFlow Lite refuses the model")
        self.input = ctypes.c_void_p(self.library.TfLiteInterpreterGetInputTensor(self.interpreter, 0))
        self.output = ctypes.c_void_p(self.library.TfLiteInterpreterGetOutputTensor(self.interpreter, 0))
        self.input_size = self.library.TfLiteTensorByteSize(self.input)
        self.output_size = self.library.TfLiteTensorByteSize(self.output)
        self.library.TfLiteTensorQuantizationParams.restype = Quantization

    def quantization(self):
        value = self.library.TfLiteTensorQuantizationParams(self.input)
        return value.scale, value.zero_point

    def run(self, numbers):
        """One input's bytes to one output's."""
        size = ctypes.c_size_t(len(numbers))
        assert self.library.TfLiteTensorCopyFromBuffer(self.input, bytes(numbers), size) == 0
        assert self.library.TfLiteInterpreterInvoke(self.interpreter) == 0
        output = ctypes.create_string_buffer(self.output_size)
        size = ctypes.c_size_t(self.output_size)
        assert self.library.TfLiteTensorCopyToBuffer(self.output, output, size) == 0
        return output.raw


class Quantization(ctypes.Structure):
    _fields_ = [("scale", ctypes.c_float), ("zero_point", ctypes.c_int32)]
