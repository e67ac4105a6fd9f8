using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using System.Text.Json;
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
    /// <summary>The key of the description in the graph's metadata, as the exporter writes it.</summary>
    public const string MetadataKey = "rlhf.weight_inputs";

    private const int ChunkColumns = 256; // of a matrix, turned by one thread at a time

    private static readonly JsonSerializerOptions Naming = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    private readonly Input[] _inputs;
    private readonly Dictionary<string, Input> _byName;
    private readonly int _threads;

    private readonly DeviceMemory _memory;

    private WeightInputs(IEnumerable<Description> descriptions, DeviceMemory memory, int threads)
    {
        _memory = memory;
        _inputs = [.. descriptions.Select(d => new Input(d, memory))];
        _byName = _inputs.ToDictionary(input => input.Name);
        _threads = threads;
    }

    public long Bytes => _inputs.Sum(input => input.Count * sizeof(float));

    /// <summary>Room for the weights that the graph takes; null where they are inside the graph.</summary>
    /// <exception cref="BadModelException">The description is not that of the graph's inputs.</exception>
    public static WeightInputs? Of(InferenceSession session, DeviceMemory memory, int threads)
    {
        if (!session.ModelMetadata.CustomMetadataMap.TryGetValue(MetadataKey, out string? text)) return null;
        try
        {
            Description[] descriptions = JsonSerializer.Deserialize<Description[]>(text, Naming) ?? [];
            foreach (Description d in descriptions)
            {
                bool there = session.InputMetadata.TryGetValue(d.Name, out NodeMetadata? node);
                long[] expected = there ? [.. node!.Dimensions.Select(n => (long)n)] : [];
                if (!there || d.Offset < 0 || d.Dimensions.Length is 0 or > 2 || (d.Turned && d.Dimensions.Length != 2) || !expected.SequenceEqual(d.Turned ? d.Dimensions.Reverse() : d.Dimensions))
                    throw new BadModelException($"The graph's description of its weight '{d.Name}' is not that of an input it has. Export the model again.");
            }

            return descriptions.Length == 0 ? null : new WeightInputs(descriptions, memory, threads);
        }
        catch (JsonException e)
        {
            throw new BadModelException($"The graph's description of its weights cannot be read: {e.Message} Export the model again.", e);
        }
    }

    /// <summary>Takes the weights of a folder's data file.</summary>
    /// <exception cref="BadModelException">The file is missing or too short.</exception>
    public void Load(string dataFile)
    {
        long needed = _inputs.Max(input => input.Offset + (input.Count * sizeof(float))), length = File.Exists(dataFile) ? new FileInfo(dataFile).Length : -1;
        if (length < needed)
        {
            string found = length < 0 ? "the file is missing" : FormattableString.Invariant($"the file has {length} bytes; the graph's weights need {needed}");
            throw new BadModelException($"{dataFile}: {found}. Export the model again, or copy the whole folder.");
        }

        using MemoryMappedFile file = MemoryMappedFile.CreateFromFile(dataFile, FileMode.Open, null, 0, MemoryMappedFileAccess.Read);
        using MemoryMappedViewAccessor view = file.CreateViewAccessor(0, needed, MemoryMappedFileAccess.Read);
        byte* start = null;
        view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
        try
        {
            Put(_inputs, [.. _inputs.Select(input => (nint)(start + view.PointerOffset + input.Offset))]);
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
    }

    private sealed record Description(string Name, long Offset, long[] Dimensions, bool Turned);

    private sealed class Input : IDisposable
    {
        private readonly SafeHandle _held;

        public Input(Description description, DeviceMemory memory)
        {
            (Name, Offset, Dimensions, Turned) = (description.Name, description.Offset, description.Dimensions, description.Turned);
            Count = Dimensions.Aggregate(1L, (product, dimension) => product * dimension);
            _held = memory.Allocate(Count, out nint address);
            Address = address;
            Value = OrtValue.CreateTensorValueWithData(memory.Info, TensorElementType.Float, Turned ? [.. Dimensions.Reverse()] : Dimensions, address, Count * sizeof(float));
        }

        public string Name { get; }

        public long Offset { get; }

        public long[] Dimensions { get; }

        public bool Turned { get; }

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
