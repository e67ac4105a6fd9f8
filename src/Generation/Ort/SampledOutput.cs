using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Rlhf.Generation.Ort;

/// <summary>Address in, token and log-prob out: the graph draws (sampled.onnx) and its logits stay where they are.</summary>
internal sealed unsafe class SampledOutput(int rows) : IStepOutput
{
    private readonly NativeBuffer<long> _addresses = new(2L * rows);
    private readonly NativeBuffer<float> _settings = new(2); // temperature, noise
    private readonly NativeBuffer<long> _tokens = new(rows);
    private readonly NativeBuffer<float> _logprobs = new(rows);

    /// <summary>How the next calls draw; greedy takes the most likely token.</summary>
    public void Set(double temperature, bool greedy) => (_settings.Pointer[0], _settings.Pointer[1]) = ((float)temperature, greedy ? 0 : 1);

    /// <summary>The random bits of a row's next token.</summary>
    public void SetAddress(int row, ulong bits) => (_addresses.Pointer[2 * row], _addresses.Pointer[(2 * row) + 1]) = ((uint)bits, (long)(bits >> 32));

    /// <summary>The token drawn for a row, and its log-prob under the policy at the temperature.</summary>
    public (int Token, float Logprob) this[int row] => ((int)_tokens.Pointer[row], _logprobs.Pointer[row]);

    public IReadOnlyList<OrtValue> Bind(OrtIoBinding binding, int rows, int width)
    {
        OrtMemoryInfo cpu = OrtMemoryInfo.DefaultInstance;
        OrtValue addresses = OrtValue.CreateTensorValueWithData(cpu, TensorElementType.Int64, [rows, 2], _addresses.Address, _addresses.Bytes);
        OrtValue temperature = OrtValue.CreateTensorValueWithData(cpu, TensorElementType.Float, [1], _settings.Address, sizeof(float));
        OrtValue noise = OrtValue.CreateTensorValueWithData(cpu, TensorElementType.Float, [1], _settings.Address + sizeof(float), sizeof(float));
        OrtValue tokens = OrtValue.CreateTensorValueWithData(cpu, TensorElementType.Int64, [rows, 1], _tokens.Address, _tokens.Bytes);
        OrtValue logprobs = OrtValue.CreateTensorValueWithData(cpu, TensorElementType.Float, [rows, 1], _logprobs.Address, _logprobs.Bytes);
        binding.BindInput("addresses", addresses);
        binding.BindInput("temperature", temperature);
        binding.BindInput("noise", noise);
        binding.BindOutput("tokens", tokens);
        binding.BindOutput("logprobs", logprobs);
        return [addresses, temperature, noise, tokens, logprobs];
    }

    public void Collect(int rows, int width, ReadOnlySpan<int> last)
    {
        // Everything is where it is wanted.
    }

    public void Dispose()
    {
        _addresses.Dispose();
        _settings.Dispose();
        _tokens.Dispose();
        _logprobs.Dispose();
    }
}
