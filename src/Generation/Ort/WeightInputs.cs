using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using Rlhf.Core;

namespace Rlhf.Generation.Ort;

/// <summary>
/// The weights of a graph that takes them as inputs (rollout.onnx): memory of our own, bound with every run and overwritten in place when
/// new weights come, so the session stays open. Matrices are kept [out, in], as the graph wants them; files and trainers have [in, out].
/// </summary>
internal sealed unsafe class WeightInputs : IDisposable
{
    private const int ChunkColumns = 256; // of a matrix, turned by one thread at a time

    private readonly Input[] _inputs;
    private readonly Dictionary<string, Input> _byName;
    private readonly int _threads;

    private readonly DeviceMemory _memory;

    private WeightInputs(IEnumerable<WeightDescription> descriptions, DeviceMemory memory, int threads)
    {
        _memory = memory;
        _inputs = [.. descriptions.Select(d => new Input(d, memory))];
        _byName = _inputs.ToDictionary(input => input.Name);
        _threads = threads;
    }

    public long Bytes => _inputs.Sum(input => input.Count * sizeof(float));

    /// <summary>The weights that the graph takes, from the folder's data file; null where they are inside the graph.</summary>
    /// <exception cref="BadModelException">The graph's description of them is not that of its inputs, or the file is missing or too short.</exception>
    public static WeightInputs? Of(InferenceSession session, string dataFile, DeviceMemory memory, int threads)
    {
        if (!session.ModelMetadata.CustomMetadataMap.TryGetValue(WeightDescription.MetadataKey, out string? text)) return null;
        WeightDescription[] descriptions = WeightDescription.Read(text, session.InputMetadata);
        if (descriptions.Length == 0) return null;
        WeightDescription.RequireIn(dataFile, descriptions);
        WeightInputs weights = new(descriptions, memory, threads);
        try
        {
            weights.Load(dataFile);
            return weights;
        }
        catch
        {
            weights.Dispose();
            throw;
        }
    }

    /// <summary>Takes the weights of a folder's data file.</summary>
    /// <exception cref="BadModelException">The file is missing or too short.</exception>
    public void Load(string dataFile)
    {
        WeightDescription.RequireIn(dataFile, _inputs.Select(input => input.Description));
        using MemoryMappedFile file = MemoryMappedFile.CreateFromFile(dataFile, FileMode.Open, null, 0, MemoryMappedFileAccess.Read);
        using MemoryMappedViewAccessor view = file.CreateViewAccessor(0, _inputs.Max(input => input.Description.End), MemoryMappedFileAccess.Read);
        byte* start = null;
        view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
        try
        {
            Put(_inputs, [.. _inputs.Select(input => (nint)(start + view.PointerOffset + input.Description.Offset))]);
        }
        finally
        {
            view.SafeMemoryMappedViewHandle.ReleasePointer();
        }
    }

    /// <summary>Takes weights from a trainer's memory; those not named stay.</summary>
    /// <exception cref="EngineException">A name or shape is not the graph's.</exception>
    public void Update(IReadOnlyList<WeightTensor> weights)
    {
        Input[] inputs = new Input[weights.Count];
        for (int i = 0; i < inputs.Length; i++)
        {
            WeightTensor weight = weights[i];
            if (!_byName.TryGetValue(weight.Name, out Input? input))
                throw new EngineException($"The policy takes no weight '{weight.Name}'. The weights belong to another model; export that one and open its folder.");
            if (!weight.Dimensions.SequenceEqual(input.Dimensions))
                throw new EngineException($"The weight '{weight.Name}' is [{string.Join(", ", weight.Dimensions)}]; the policy takes [{string.Join(", ", input.Dimensions)}]. The weights belong to another model; export that one and open its folder.");
            inputs[i] = input;
        }

        Put(inputs, [.. weights.Select(weight => weight.Address)]);
    }

    public void Bind(OrtIoBinding binding)
    {
        foreach (Input input in _inputs) binding.BindInput(input.Name, input.Value);
    }

    public void Dispose()
    {
        foreach (Input input in _inputs) input.Dispose();
    }

    private void Put(Input[] inputs, nint[] addresses)
    {
        List<(int Input, int Column)> work = [];
        for (int i = 0; i < inputs.Length; i++)
        {
            int columns = inputs[i].Turned ? (int)inputs[i].Dimensions[1] : 1;
            for (int column = 0; column < columns; column += ChunkColumns) work.Add((i, column));
        }

        Parallel.ForEach(work, new ParallelOptions { MaxDegreeOfParallelism = _threads }, part =>
        {
            Input input = inputs[part.Input];
            float* from = (float*)addresses[part.Input], to = (float*)input.Address;
            if (!input.Turned)
            {
                _memory.Upload((nint)from, input.Address, input.Count * sizeof(float));
                return;
            }

            int lines = (int)input.Dimensions[0], stride = (int)input.Dimensions[1];
            MatrixTurn.Turn(from + part.Column, lines, stride, Math.Min(ChunkColumns, stride - part.Column), to + ((long)part.Column * lines));
        });
        _memory.Settle();
    }

    private sealed class Input : IDisposable
    {
        private readonly SafeHandle _held;

        public Input(WeightDescription description, DeviceMemory memory)
        {
            Description = description;
            Count = description.Count;
            _held = memory.Allocate(Count, out nint address);
            Address = address;
            Value = OrtValue.CreateTensorValueWithData(memory.Info, TensorElementType.Float, Turned ? [.. Dimensions.Reverse()] : Dimensions, address, Count * sizeof(float));
        }

        public WeightDescription Description { get; }

        public string Name => Description.Name;

        public long[] Dimensions => Description.Dimensions;

        public bool Turned => Description.Turned;

        public long Count { get; }

        public nint Address { get; }

        public OrtValue Value { get; }

        public void Dispose()
        {
            Value.Dispose();
            _held.Dispose();
        }
    }
}
