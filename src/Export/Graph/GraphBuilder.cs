using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Google.Protobuf;
using Rlhf.Export.Onnx;
using ElementType = Rlhf.Export.Onnx.TensorProto.Types.DataType;

namespace Rlhf.Export;

/// <summary>Writes nodes whose names are paths; each value is named after the node that makes it.</summary>
internal sealed class GraphBuilder
{
    public const string MicrosoftDomain = "com.microsoft";

    /// <summary>Metadata of a graph with weight inputs: a JSON array of {name, offset (bytes in the data file), dimensions (there), turned}.</summary>
    public const string WeightInputsKey = "rlhf.weight_inputs";

    private readonly GraphProto _graph = new();
    private readonly HashSet<string> _constants = [];

    private readonly List<(WeightEntry Entry, bool Turned)> _weightInputs = [];
    private readonly GraphBuilder? _parent;

    public GraphBuilder(string name) => _graph.Name = name;

    /// <summary>The body of a Loop: it reads weights, constants and values of <paramref name="parent"/> by name.</summary>
    public GraphBuilder(string name, GraphBuilder parent) : this(name) => _parent = parent;

    public static AttributeProto Int(string name, long value) => new() { Name = name, I = value, Type = AttributeProto.Types.AttributeType.Int };

    public static AttributeProto Ints(string name, params long[] values) =>
        new() { Name = name, Ints = { values }, Type = AttributeProto.Types.AttributeType.Ints };

    public static AttributeProto Float(string name, double value) =>
        new() { Name = name, F = (float)value, Type = AttributeProto.Types.AttributeType.Float };

    public static AttributeProto Graph(string name, GraphProto value) => new() { Name = name, G = value, Type = AttributeProto.Types.AttributeType.Graph };

    public string Input(string name, ElementType type, params object[] dimensions)
    {
        _graph.Input.Add(Value(name, type, dimensions));
        return name;
    }

    /// <summary>A graph output; <paramref name="value"/> is renamed by an Identity node unless it has the name already.</summary>
    public void Output(string name, string value, ElementType type, params object[] dimensions)
    {
        if (value != name) Node("Identity", "/" + name + "/Identity", "", [value], [name]);
        _graph.Output.Add(Value(name, type, dimensions));
    }

    /// <summary>Adds a node with one output, named path + "/output_0".</summary>
    public string Op(string type, string path, string[] inputs, params AttributeProto[] attributes) =>
        Node(type, path, "", inputs, [path + "/output_0"], attributes);

    /// <summary>The same for an operator of ONNX Runtime's own domain.</summary>
    public string MicrosoftOp(string type, string path, string[] inputs, params AttributeProto[] attributes) =>
        Node(type, path, MicrosoftDomain, inputs, [path + "/output_0"], attributes);

    /// <summary>Adds a node with the outputs named; "" leaves one out. Returns the first.</summary>
    public string Node(string type, string path, string domain, string[] inputs, string[] outputs, params AttributeProto[] attributes)
    {
        _graph.Node.Add(new NodeProto
        {
            OpType = type, Name = path, Domain = domain, Input = { inputs }, Output = { outputs }, Attribute = { attributes },
        });
        return outputs[0];
    }

    /// <summary>A weight in the data file; its place is filled in when the graph is written beside a <see cref="DataLayout"/>.</summary>
    public string Weight(WeightEntry entry)
    {
        if (_parent is not null) return _parent.Weight(entry);
        if (_constants.Add(entry.Initializer))
        {
            _graph.Initializer.Add(new TensorProto
            {
                Name = entry.Initializer, DataType = (int)ElementType.Float, Dims = { entry.Dimensions }, DataLocation = TensorProto.Types.DataLocation.External,
            });
        }

        return entry.Initializer;
    }

    /// <summary>A small int64 constant; a scalar when <paramref name="vector"/> is false.</summary>
    public string Int64(long value, bool vector) => Int64(vector ? [1] : [], value);

    public string Int64Vector(params long[] values) => Int64([values.Length], values);

    public string Scalar(float value)
    {
        if (_parent is not null) return _parent.Scalar(value);
        string name = "/constants/float/" + value.ToString("R", System.Globalization.CultureInfo.InvariantCulture);
        if (_constants.Add(name))
        {
            byte[] raw = new byte[4];
            BinaryPrimitives.WriteSingleLittleEndian(raw, value);
            _graph.Initializer.Add(new TensorProto { Name = name, DataType = (int)ElementType.Float, RawData = ByteString.CopyFrom(raw) });
        }

        return name;
    }

    /// <summary>
    /// A weight as an input of the graph, given anew with every run: the engine keeps it in memory that can be overwritten while the session
    /// stays open. What to put there is written into the model's metadata, see <see cref="WeightInputsKey"/>.
    /// </summary>
    /// <param name="entry">The weight; the input has its name.</param>
    /// <param name="turned">True: [in, out] weights are taken as [out, in].</param>
    public string WeightInput(WeightEntry entry, bool turned)
    {
        if (_constants.Add(entry.Initializer))
        {
            _weightInputs.Add((entry, turned));
            Input(entry.Initializer, ElementType.Float, [.. (turned ? entry.Dimensions.Reverse() : entry.Dimensions).Select(d => (object)d)]);
        }

        return entry.Initializer;
    }

    /// <summary>A small float32 vector.</summary>
    public string Vector(string name, float[] values) => Matrix(name, values, values.Length);

    /// <summary>A small float32 constant of any shape.</summary>
    public string Matrix(string name, float[] values, params long[] dimensions)
    {
        if (_constants.Add(name))
        {
            _graph.Initializer.Add(new TensorProto
            {
                Name = name, DataType = (int)ElementType.Float, Dims = { dimensions }, RawData = ByteString.CopyFrom(MemoryMarshal.AsBytes<float>(values)),
            });
        }

        return name;
    }

    /// <summary>The graph alone, for the body of a Loop.</summary>
    public GraphProto Body() => _graph;

    /// <summary>The whole model; weights point into <paramref name="layout"/>'s file.</summary>
    public byte[] ToModel(DataLayout layout)
    {
        foreach (TensorProto tensor in _graph.Initializer)
        {
            if (tensor.DataLocation != TensorProto.Types.DataLocation.External) continue;
            (long offset, long length) = layout[tensor.Name];
            tensor.ExternalData.Clear();
            Entry(tensor, "location", DataLayout.FileName);
            Entry(tensor, "offset", offset.ToString(System.Globalization.CultureInfo.InvariantCulture));
            Entry(tensor, "length", length.ToString(System.Globalization.CultureInfo.InvariantCulture));
        }

        ModelProto model = new()
        {
            IrVersion = 10,
            ProducerName = "Rlhf.Onnx",
            ProducerVersion = typeof(GraphBuilder).Assembly.GetName().Version?.ToString(3) ?? "",
            Graph = _graph,
            OpsetImport = { new OperatorSetIdProto { Domain = "", Version = 18 }, new OperatorSetIdProto { Domain = MicrosoftDomain, Version = 1 } },
        };
        if (_weightInputs.Count > 0)
        {
            JsonArray inputs = [.. _weightInputs.Select(w => new JsonObject
            {
                ["name"] = w.Entry.Initializer, ["offset"] = layout[w.Entry.Initializer].Offset, ["dimensions"] = new JsonArray([.. w.Entry.Dimensions.Select(d => JsonValue.Create(d))]), ["turned"] = w.Turned,
            })];
            model.MetadataProps.Add(new StringStringEntryProto { Key = WeightInputsKey, Value = inputs.ToJsonString() });
        }

        return model.ToByteArray();
    }

    private static void Entry(TensorProto tensor, string key, string value) => tensor.ExternalData.Add(new StringStringEntryProto { Key = key, Value = value });

    private string Int64(long[] dimensions, params long[] values)
    {
        if (_parent is not null) return _parent.Int64(dimensions, values);
        string name = $"/constants/int64/{(dimensions.Length == 0 ? "scalar" : "vector")}/{string.Join("_", values)}";
        if (_constants.Add(name))
        {
            _graph.Initializer.Add(new TensorProto
            {
                Name = name, DataType = (int)ElementType.Int64, Dims = { dimensions },
                RawData = ByteString.CopyFrom(MemoryMarshal.AsBytes<long>(values)),
            });
        }

        return name;
    }

    private static ValueInfoProto Value(string name, ElementType type, object[] dimensions)
    {
        TensorShapeProto shape = new();
        foreach (object dimension in dimensions)
        {
            shape.Dim.Add(dimension is string symbol
                ? new TensorShapeProto.Types.Dimension { DimParam = symbol }
                : new TensorShapeProto.Types.Dimension { DimValue = Convert.ToInt64(dimension, System.Globalization.CultureInfo.InvariantCulture) });
        }

        return new() { Name = name, Type = new TypeProto { TensorType = new TypeProto.Types.Tensor { ElemType = (int)type, Shape = shape } } };
    }
}
