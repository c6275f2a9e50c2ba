"""What the person's material shows: albedo or texture, lit by the scene, or the colours of the photo, unlit."""

from __future__ import annotations

import bpy

from ...engine.errors import UserError
from .mesh import ALBEDO, SHADED

TEXTURE = "Texture"
LOOKS = (ALBEDO, SHADED, TEXTURE)
_NORMALS, _RELIEF = "Normals", "Relief"  # the image and what makes normals of it
_UNLIT = "Unlit"
_OUTPUT, _SURFACE = "ShaderNodeOutputMaterial", "ShaderNodeBsdfPrincipled"


def current_look(person: bpy.types.Object) -> str:
    """One of :data:`LOOKS`, or "" where the material is none of ours any more."""
    tree = _tree(person)
    output = tree and _of_kind(tree, _OUTPUT)
    if output is None or not output.inputs["Surface"].is_linked:
        return ""
    source = output.inputs["Surface"].links[0].from_node
    if source.name == _UNLIT:
        return SHADED
    colour = source.inputs.get("Base Color")
    if colour is None or not colour.is_linked:
        return ""
    name = colour.links[0].from_node.name
    return TEXTURE if name == TEXTURE else ALBEDO


def show(person: bpy.types.Object, look: str) -> None:
    """Makes the material, and views that show colour attributes, show ``look``, one of :data:`LOOKS`.

    Raises ``UserError`` where the material lacks the nodes for it.
    """
    tree, surface, output = our_nodes(person)
    if look == SHADED:
        source = _colour_node(tree, SHADED)
        shown = _node(tree, _UNLIT, "ShaderNodeEmission", (-300, -420)).outputs["Emission"]
        tree.links.new(source.outputs["Color"], shown.node.inputs["Color"])
    else:
        if look == TEXTURE and texture_of(person) is None:
            raise UserError("The person has no texture.", "Bake one first.")
        source = tree.nodes[TEXTURE] if look == TEXTURE else _colour_node(tree, ALBEDO)
        shown = surface.outputs["BSDF"]
        tree.links.new(source.outputs["Color"], surface.inputs["Base Color"])
    tree.links.new(shown, output.inputs["Surface"])
    attributes = person.data.color_attributes
    name = SHADED if look == SHADED else ALBEDO
    if name in attributes:
        attributes.active_color_name = name
        attributes.render_color_index = attributes.find(name)


def texture_of(person: bpy.types.Object) -> bpy.types.Image | None:
    """The baked texture, whether it is shown or not."""
    tree = _tree(person)
    node = tree and tree.nodes.get(TEXTURE)
    return node.image if node else None


def set_texture(person: bpy.types.Object, image: bpy.types.Image, uv_map: str) -> None:
    """Makes ``image`` on ``uv_map`` the person's texture. Raises ``UserError`` as :func:`show` does."""
    tree, _, _ = our_nodes(person)
    _image_node(tree, TEXTURE, (-600, -180), image, uv_map)


def normal_map_of(person: bpy.types.Object) -> bpy.types.Image | None:
    tree = _tree(person)
    node = tree and tree.nodes.get(_NORMALS)
    return node.image if node else None


def set_normal_map(person: bpy.types.Object, image: bpy.types.Image, uv_map: str) -> None:
    """Bends the person's normals as ``image``, tangent-space on ``uv_map``, says. Raises ``UserError`` as :func:`show`
    does."""
    tree, surface, _ = our_nodes(person)
    source = _image_node(tree, _NORMALS, (-800, 300), image, uv_map)
    relief = _node(tree, _RELIEF, "ShaderNodeNormalMap", (-520, 300))
    relief.uv_map = uv_map
    tree.links.new(source.outputs["Color"], relief.inputs["Color"])
    tree.links.new(relief.outputs["Normal"], surface.inputs["Normal"])


def drop_normal_map(person: bpy.types.Object) -> None:
    """Takes the normal map out of the material, for a surface that it was not baked for. The image stays with who else
    uses it."""
    _drop(person, _NORMALS, f"{_NORMALS} UV", _RELIEF)


def drop_texture(person: bpy.types.Object) -> None:
    """Takes the texture out of the material, for a mesh that has no UV map. The image stays with who else uses it."""
    _drop(person, TEXTURE, f"{TEXTURE} UV")


def _drop(person: bpy.types.Object, *names: str) -> None:
    """Takes the nodes of these names, as far as there are such, out of the person's material."""
    tree = _tree(person)
    for name in names:
        if tree and name in tree.nodes:
            tree.nodes.remove(tree.nodes[name])


def _tree(person: bpy.types.Object) -> bpy.types.NodeTree | None:
    material = person.active_material
    return material.node_tree if material else None


def our_nodes(person: bpy.types.Object) -> tuple[bpy.types.NodeTree, bpy.types.Node, bpy.types.Node]:
    """The material's tree, its surface and its output. Raises ``UserError`` where it lacks one."""
    tree = _tree(person)
    surface, output = (tree and _of_kind(tree, kind) for kind in (_SURFACE, _OUTPUT))
    if tree is None or surface is None or output is None:
        raise UserError("The person's material is not the one that PHORHUM made.", "Reconstruct the person again.")
    return tree, surface, output


def _of_kind(tree: bpy.types.NodeTree, kind: str) -> bpy.types.Node | None:
    """The first node of this kind; not by its name, which Blender may have translated."""
    return next((node for node in tree.nodes if node.bl_idname == kind), None)


def _colour_node(tree: bpy.types.NodeTree, attribute: str) -> bpy.types.ShaderNode:
    """The node that reads the colour ``attribute``; the material is made with that of the albedo."""
    for node in tree.nodes:
        if node.bl_idname == "ShaderNodeVertexColor" and node.layer_name == attribute:
            return node
    node = _node(tree, attribute, "ShaderNodeVertexColor", (-520, -420))
    node.layer_name = attribute
    return node


def _image_node(
    tree: bpy.types.NodeTree, name: str, place: tuple[int, int], image: bpy.types.Image, uv_map: str
) -> bpy.types.ShaderNode:
    """The node ``name``, which reads ``image`` on ``uv_map``."""
    node = _node(tree, name, "ShaderNodeTexImage", place)
    node.image = image
    places = _node(tree, f"{name} UV", "ShaderNodeUVMap", (place[0] - 200, place[1]))
    places.uv_map = uv_map
    tree.links.new(places.outputs["UV"], node.inputs["Vector"])
    return node


def _node(tree: bpy.types.NodeTree, name: str, kind: str, place: tuple[int, int]) -> bpy.types.ShaderNode:
    node = tree.nodes.get(name)
    if node is None:
        node = tree.nodes.new(kind)
        node.name = node.label = name
        node.location = place
    return node
