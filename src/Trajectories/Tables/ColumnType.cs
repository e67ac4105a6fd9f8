namespace Rlhf.Trajectories;

/// <summary>What a column holds, as the program sees it; <see cref="DataColumn.SqlType"/> is what the file says.</summary>
public enum ColumnType
{
    /// <summary>True or false.</summary>
    Bool,

    /// <summary>Signed 32-bit integers.</summary>
    Int32,

    /// <summary>Signed 64-bit integers.</summary>
    Int64,

    /// <summary>32-bit floating point.</summary>
    Float,

    /// <summary>64-bit floating point.</summary>
    Double,

    /// <summary>UTF-8 text.</summary>
    Text,

    /// <summary>A list of <see cref="Int32"/> a row.</summary>
    Int32List,

    /// <summary>A list of <see cref="Int64"/> a row.</summary>
    Int64List,

    /// <summary>A list of <see cref="Float"/> a row.</summary>
    FloatList,

    /// <summary>A list of <see cref="Double"/> a row.</summary>
    DoubleList,

    /// <summary>A list of <see cref="Text"/> a row.</summary>
    TextList,

    /// <summary>Names to <see cref="Double"/> a row: MAP(VARCHAR, DOUBLE). A struct of numbers reads as one too.</summary>
    DoubleMap,

    /// <summary>Any value as JSON text; text columns are taken as they are. Written as VARCHAR.</summary>
    Json,

    /// <summary>A conversation: a list of {role, content}, nested or as JSON text. Read only.</summary>
    Messages,
}
